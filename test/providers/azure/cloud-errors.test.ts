import { describe, expect, test } from '@jest/globals';
import type { ErrorCode } from '../../../domain/errors.ts';
import { azureError } from '../../../providers/azure/cloud/errors.ts';

const facts = {
  attempted: 'create virtual machine web',
  location: 'westeurope',
  size: 'Standard_D4s_v5',
  subnet: '/subscriptions/s/subnets/drill',
  address: '10.0.0.7',
};

/** As the SDK throws an answer with an error status. */
function restError(statusCode: number | undefined, code: string, message = 'message'): Error {
  return Object.assign(new Error(message), { name: 'RestError', statusCode, code });
}

/** As the SDK throws a long-running operation that failed. */
function operationError(code: string, message = 'message'): Error {
  return new Error(`The long-running operation has failed. ${code}. ${message}`);
}

const QUOTA =
  'Operation could not be completed as it results in exceeding approved standardDSv5Family Cores quota. ' +
  'Additional details - Deployment Model: Resource Manager, Location: westeurope, Current Limit: 10, ' +
  'Current Usage: 8, Additional Required: 4, (Minimum) New Limit Required: 12.';

describe('Azure errors', () => {
  test.each<[string, Error, ErrorCode]>([
    ['no connection', restError(undefined, 'ECONNREFUSED'), 'DR_AZURE_UNREACHABLE'],
    ['server error', restError(503, 'ServiceUnavailable'), 'DR_AZURE_UNREACHABLE'],
    ['throttled', restError(429, 'TooManyRequests'), 'DR_AZURE_BUSY'],
    ['another operation', restError(409, 'AnotherOperationInProgress'), 'DR_AZURE_BUSY'],
    ['group under deletion', restError(409, 'ResourceGroupBeingDeleted'), 'DR_AZURE_BUSY'],
    ['no permission', restError(403, 'AuthorizationFailed'), 'DR_AZURE_REFUSED'],
    ['policy', restError(403, 'RequestDisallowedByPolicy'), 'DR_AZURE_REFUSED'],
    ['lock', restError(409, 'ScopeLocked'), 'DR_AZURE_REFUSED'],
    ['bad token', restError(401, 'InvalidAuthenticationToken'), 'DR_AZURE_REFUSED'],
    ['quota', restError(409, 'OperationNotAllowed', QUOTA), 'DR_AZURE_QUOTA'],
    [
      'interfaces',
      restError(
        400,
        'NetworkInterfaceCountLimitReached',
        'Cannot create more than 350 network interfaces for this subscription in this region.',
      ),
      'DR_AZURE_QUOTA',
    ],
    ['not allowed for another reason', restError(409, 'OperationNotAllowed'), 'DR_AZURE_OPERATION_FAILED'],
    ['size not offered', restError(409, 'SkuNotAvailable'), 'DR_AZURE_SIZE_UNAVAILABLE'],
    ['no capacity', operationError('AllocationFailed'), 'DR_AZURE_SIZE_UNAVAILABLE'],
    [
      'unknown size',
      restError(400, 'InvalidParameter', 'The value provided for the VM size is not valid.'),
      'DR_AZURE_SIZE_UNAVAILABLE',
    ],
    ['address', restError(400, 'PrivateIPAddressInUse'), 'DR_AZURE_ADDRESS_TAKEN'],
    ['subnet', restError(400, 'InvalidResourceReference'), 'DR_AZURE_NETWORK_UNKNOWN'],
    ['unknown code', restError(400, 'SomethingNew'), 'DR_AZURE_OPERATION_FAILED'],
    ['failed operation', operationError('DiskImportFailed'), 'DR_AZURE_OPERATION_FAILED'],
    ['cancelled operation', new Error('Operation was canceled'), 'DR_AZURE_OPERATION_FAILED'],
  ])('%s', (_name, error, code) => {
    expect(azureError(facts, error)).toMatchObject({ code, cause: error });
  });

  test('a quota error says which quota, its limit, its use and what is needed', () => {
    expect(azureError(facts, restError(409, 'OperationNotAllowed', QUOTA))).toMatchObject({
      context: {
        quota: 'standardDSv5Family Cores',
        location: 'westeurope',
        limit: '10',
        used: '8',
        needed: '4',
      },
    });
  });

  test("the code and message of a failed operation come back out of the SDK's text", () => {
    const error = operationError('BadRequest', 'Only blobs formatted as VHDs can be imported. See docs.');
    expect(azureError(facts, error)).toMatchObject({
      context: {
        azureCode: 'BadRequest',
        reason: 'Only blobs formatted as VHDs can be imported. See docs.',
      },
    });
  });

  test('a taken address names its owner', () => {
    const owner = '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/networkInterfaces/old-nic';
    const message = `IP configuration ${owner.replace('old', 'new')}/ipConfigurations/c is using the private IP address 10.0.0.7 which is already allocated to resource ${owner}.`;
    expect(azureError(facts, restError(400, 'PrivateIPAddressIsAllocated', message))).toMatchObject({
      context: { address: '10.0.0.7', owner },
    });
  });

  test('a signature that Azure echoes does not reach the message', () => {
    const url = 'https://account.blob.core.windows.net/c/d.vhd?sv=1&sig=SECRET%3D&se=2';
    const error = azureError(facts, restError(400, 'InvalidParameter', `Cannot read ${url}`));
    expect(String(error)).toContain('sig=•••');
    expect(String(error)).not.toContain('SECRET');
  });

  test('what is no failure of a call stays what it is', () => {
    const bug = new TypeError('x is not a function');
    expect(azureError(facts, bug)).toBe(bug);
  });
});
