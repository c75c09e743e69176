/**
 * Every call this room makes, as data: name, arguments, and whether it may be repeated blindly after the
 * session was lost. A call bound to something that dies with the session (view, collector, token) may not.
 */
import type { MachineId } from '../../domain/ids.ts';
import type { Secret } from '../../domain/ports.ts';
import type { Watched } from './properties.ts';
import { mor, type MoRef, typed } from './values.ts';

export interface VimRequest {
  readonly operation: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly mayRepeat: boolean;
}

/** The service's own objects, from its `ServiceContent`. */
export interface ServiceRefs {
  readonly rootFolder: MoRef;
  readonly propertyCollector: MoRef;
  readonly viewManager: MoRef;
  readonly searchIndex: MoRef;
  readonly sessionManager: MoRef;
  readonly authorizationManager: MoRef;
}

/** Fields of a `VirtualMachineConfigSpec`. */
export type ConfigSpec = Readonly<Record<string, unknown>>;

const once = (operation: string, args: Readonly<Record<string, unknown>>): VimRequest => ({
  operation,
  args,
  mayRepeat: false,
});
const repeatable = (operation: string, args: Readonly<Record<string, unknown>>): VimRequest => ({
  operation,
  args,
  mayRepeat: true,
});

export const requests = {
  // Session
  retrieveServiceContent: () =>
    repeatable('RetrieveServiceContent', { _this: mor('ServiceInstance', 'ServiceInstance') }),
  currentTime: () => repeatable('CurrentTime', { _this: mor('ServiceInstance', 'ServiceInstance') }),
  login: (service: ServiceRefs, userName: string, password: Secret) =>
    once('Login', { _this: service.sessionManager, userName, password: password.reveal() }),
  logout: (service: ServiceRefs) => once('Logout', { _this: service.sessionManager }),

  // Properties and inventory
  findByInstanceUuid: (service: ServiceRefs, id: MachineId) =>
    repeatable('FindByUuid', { _this: service.searchIndex, uuid: id, vmSearch: true, instanceUuid: true }),
  retrieveObject: (service: ServiceRefs, object: MoRef, paths: readonly string[]) =>
    repeatable('RetrievePropertiesEx', {
      _this: service.propertyCollector,
      specSet: [propertiesOf([{ object, paths }])],
      options: {},
    }),
  createView: (service: ServiceRefs, types: readonly string[]) =>
    repeatable('CreateContainerView', {
      _this: service.viewManager,
      container: service.rootFolder,
      type: types,
      recursive: true,
    }),
  destroyView: (view: MoRef) => once('DestroyView', { _this: view }),
  retrieveView: (
    service: ServiceRefs,
    view: MoRef,
    query: { readonly type: string; readonly paths: readonly string[]; readonly maxObjects: number },
  ) =>
    once('RetrievePropertiesEx', {
      _this: service.propertyCollector,
      specSet: [
        {
          propSet: [{ type: query.type, pathSet: query.paths }],
          objectSet: [
            {
              obj: view,
              skip: true,
              selectSet: [
                typed('TraversalSpec', { name: 'view', type: 'ContainerView', path: 'view', skip: false }),
              ],
            },
          ],
        },
      ],
      options: { maxObjects: query.maxObjects },
    }),
  continueRetrieve: (service: ServiceRefs, token: string) =>
    once('ContinueRetrievePropertiesEx', { _this: service.propertyCollector, token }),
  cancelRetrieve: (service: ServiceRefs, token: string) =>
    once('CancelRetrievePropertiesEx', { _this: service.propertyCollector, token }),

  // Waiting
  createCollector: (service: ServiceRefs) =>
    repeatable('CreatePropertyCollector', { _this: service.propertyCollector }),
  destroyCollector: (collector: MoRef) => once('DestroyPropertyCollector', { _this: collector }),
  createFilter: (collector: MoRef, watched: readonly Watched[]) =>
    once('CreateFilter', { _this: collector, spec: propertiesOf(watched), partialUpdates: false }),
  waitForUpdates: (collector: MoRef, version: string, maxWaitSeconds: number) =>
    once('WaitForUpdatesEx', { _this: collector, version, options: { maxWaitSeconds } }),

  // Machines
  enableChangeTracking: (machine: MoRef) =>
    once('ReconfigVM_Task', { _this: machine, spec: { changeTrackingEnabled: true } }),
  /** `spec` is a VirtualMachineConfigSpec: what it leaves out stays. */
  reconfigure: (machine: MoRef, spec: ConfigSpec) => once('ReconfigVM_Task', { _this: machine, spec }),
  createSnapshot: (
    machine: MoRef,
    snapshot: { readonly name: string; readonly description: string; readonly quiesce: boolean },
  ) =>
    once('CreateSnapshot_Task', {
      _this: machine,
      name: snapshot.name,
      description: snapshot.description,
      memory: false,
      quiesce: snapshot.quiesce,
    }),
  removeSnapshot: (snapshot: MoRef) =>
    once('RemoveSnapshot_Task', { _this: snapshot, removeChildren: false, consolidate: true }),
  /** The machine stays off afterwards, whatever its state was in the snapshot. */
  revertToSnapshot: (snapshot: MoRef) =>
    once('RevertToSnapshot_Task', { _this: snapshot, suppressPowerOn: true }),
  changedAreas: (
    machine: MoRef,
    query: {
      readonly snapshot: MoRef;
      readonly deviceKey: number;
      readonly startOffset: number;
      readonly changeId: string;
    },
  ) => repeatable('QueryChangedDiskAreas', { _this: machine, ...query }),
  shutdownGuest: (machine: MoRef) => once('ShutdownGuest', { _this: machine }),
  powerOff: (machine: MoRef) => once('PowerOffVM_Task', { _this: machine }),
  powerOn: (machine: MoRef) => once('PowerOnVM_Task', { _this: machine }),
  answer: (machine: MoRef, questionId: string, answerChoice: string) =>
    once('AnswerVM', { _this: machine, questionId, answerChoice }),

  // Machines that are made, and what this account may do
  createMachine: (
    place: { readonly folder: MoRef; readonly pool: MoRef; readonly host: MoRef },
    config: ConfigSpec,
  ) => once('CreateVM_Task', { _this: place.folder, config, pool: place.pool, host: place.host }),
  destroyMachine: (machine: MoRef) => once('Destroy_Task', { _this: machine }),
  fetchPrivileges: (service: ServiceRefs, entity: MoRef, userName: string) =>
    repeatable('FetchUserPrivilegeOnEntities', {
      _this: service.authorizationManager,
      entities: [entity],
      userName,
    }),
} as const;

function propertiesOf(watched: readonly Watched[]): Record<string, unknown> {
  return {
    propSet: watched.map(({ object, paths }) => ({ type: object.attributes.type, pathSet: paths })),
    objectSet: watched.map(({ object }) => ({ obj: object })),
  };
}
