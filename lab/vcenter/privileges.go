package main

import (
	"net/http"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// needs lists the privileges of a call on the object it names. What a real vCenter asks for on pools, datastores and
// networks is asked for here on the same object: a user lacks a privilege everywhere or nowhere.
var needs = map[string]func(body any) []string{
	"CreateSnapshot_Task":          fixed("VirtualMachine.State.CreateSnapshot"),
	"CreateSnapshotEx_Task":        fixed("VirtualMachine.State.CreateSnapshot"),
	"RemoveSnapshot_Task":          fixed("VirtualMachine.State.RemoveSnapshot"),
	"RemoveAllSnapshots_Task":      fixed("VirtualMachine.State.RemoveSnapshot"),
	"RevertToSnapshot_Task":        fixed("VirtualMachine.State.RevertToSnapshot"),
	"RevertToCurrentSnapshot_Task": fixed("VirtualMachine.State.RevertToSnapshot"),
	"PowerOnVM_Task":               fixed("VirtualMachine.Interact.PowerOn"),
	"PowerOffVM_Task":              fixed("VirtualMachine.Interact.PowerOff"),
	"ShutdownGuest":                fixed("VirtualMachine.Interact.PowerOff"),
	"ResetVM_Task":                 fixed("VirtualMachine.Interact.Reset"),
	"RebootGuest":                  fixed("VirtualMachine.Interact.Reset"),
	"QueryChangedDiskAreas":        fixed("VirtualMachine.Provisioning.DiskRandomRead"),
	"CreateVM_Task":                func(body any) []string { return createNeeds(&body.(*types.CreateVM_Task).Config) },
	"ReconfigVM_Task":              func(body any) []string { return configNeeds(&body.(*types.ReconfigVM_Task).Spec) },
	"Destroy_Task":                 fixed("VirtualMachine.Inventory.Delete"),
	"UnregisterVM":                 fixed("VirtualMachine.Inventory.Unregister"),
	"RegisterVM_Task":              fixed("VirtualMachine.Inventory.Register"),
	"CreateFolder":                 fixed("Folder.Create"),
	"DeleteDatastoreFile_Task":     fixed("Datastore.FileManagement"),
	"DeleteVirtualDisk_Task":       fixed("Datastore.FileManagement"),
}

func fixed(ids ...string) func(any) []string { return func(any) []string { return ids } }

func createNeeds(spec *types.VirtualMachineConfigSpec) []string {
	ids := []string{"VirtualMachine.Inventory.Create", "Resource.AssignVMToPool", "Datastore.AllocateSpace"}
	for _, change := range spec.DeviceChange {
		switch change.GetVirtualDeviceConfigSpec().Device.(type) {
		case *types.VirtualDisk:
			ids = append(ids, "VirtualMachine.Config.AddNewDisk")
		case types.BaseVirtualEthernetCard:
			ids = append(ids, "Network.Assign")
		}
	}
	return ids
}

func configNeeds(spec *types.VirtualMachineConfigSpec) []string {
	var ids []string
	for id, asked := range map[string]bool{
		"VirtualMachine.Config.ChangeTracking": spec.ChangeTrackingEnabled != nil,
		"VirtualMachine.Config.Annotation":     spec.Annotation != "",
		"VirtualMachine.Config.AdvancedConfig": len(spec.ExtraConfig) > 0,
		"VirtualMachine.Config.CPUCount":       spec.NumCPUs != 0,
		"VirtualMachine.Config.Memory":         spec.MemoryMB != 0,
		"VirtualMachine.Config.Rename":         spec.Name != "",
	} {
		if asked {
			ids = append(ids, id)
		}
	}
	for _, change := range spec.DeviceChange {
		ids = append(ids, deviceNeeds(change.GetVirtualDeviceConfigSpec())...)
	}
	slices.Sort(ids)
	return ids
}

func deviceNeeds(spec *types.VirtualDeviceConfigSpec) []string {
	_, isCard := spec.Device.(types.BaseVirtualEthernetCard)
	_, isDisk := spec.Device.(*types.VirtualDisk)
	switch {
	case isDisk && spec.Operation == types.VirtualDeviceConfigSpecOperationRemove:
		return []string{"VirtualMachine.Config.RemoveDisk"}
	case isDisk && spec.Operation == types.VirtualDeviceConfigSpecOperationEdit:
		return []string{"VirtualMachine.Config.DiskExtend"}
	case isDisk && spec.FileOperation == "":
		return []string{"VirtualMachine.Config.AddExistingDisk"}
	case isDisk:
		return []string{"VirtualMachine.Config.AddNewDisk", "Datastore.AllocateSpace"}
	case spec.Operation != types.VirtualDeviceConfigSpecOperationEdit:
		return []string{"VirtualMachine.Config.AddRemoveDevice"}
	case isCard && spec.Device.GetVirtualDevice().Backing != nil:
		return []string{"VirtualMachine.Config.EditDevice", "Network.Assign"}
	}
	return []string{"VirtualMachine.Config.EditDevice"}
}

// denied names the privileges the call lacks, as vCenter does.
func (v *vcenter) denied(user string, call *simulator.Method) types.BaseMethodFault {
	need := needs[call.Name]
	if need == nil {
		return nil
	}
	lacking := v.lacking(user, need(call.Body))
	if len(lacking) == 0 {
		return nil
	}
	this := call.This
	return &types.NoPermission{
		Object: &this, PrivilegeId: lacking[0],
		MissingPrivileges: []types.NoPermissionEntityPrivileges{{Entity: this, PrivilegeIds: lacking}},
	}
}

func (v *vcenter) lacking(user string, ids []string) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []string
	for _, id := range ids {
		if slices.Contains(v.state.Missing[user], id) {
			out = append(out, id)
		}
	}
	return out
}

// isDenied answers a request of the export service or the datastore folder that lacks a privilege with 403.
func (v *vcenter) isDenied(w http.ResponseWriter, r *http.Request, id string) bool {
	session := v.sessionOf(r)
	if session == nil || len(v.lacking(session.UserName, []string{id})) == 0 {
		return false
	}
	answer(w, http.StatusForbidden, map[string]string{"error": "no permission: " + id, "fault": "NoPermission", "privilege": id})
	return true
}

// The questions below reach the practice vCenter instead of the simulator, which grants everything.

func (v *vcenter) FetchUserPrivilegeOnEntities(_ *simulator.Context, req *types.FetchUserPrivilegeOnEntities) soap.HasFault {
	manager := v.reg.Get(req.This).(*simulator.AuthorizationManager)
	body := manager.FetchUserPrivilegeOnEntities(req).(*methods.FetchUserPrivilegeOnEntitiesBody)
	for i := range body.Res.Returnval {
		result := &body.Res.Returnval[i]
		lacking := v.lacking(req.UserName, result.Privileges)
		result.Privileges = slices.DeleteFunc(slices.Clone(result.Privileges), func(id string) bool { return slices.Contains(lacking, id) })
	}
	return body
}

func (v *vcenter) HasUserPrivilegeOnEntities(_ *simulator.Context, req *types.HasUserPrivilegeOnEntities) soap.HasFault {
	return &methods.HasUserPrivilegeOnEntitiesBody{Res: &types.HasUserPrivilegeOnEntitiesResponse{
		Returnval: v.availability(req.UserName, req.Entities, req.PrivId),
	}}
}

func (v *vcenter) HasPrivilegeOnEntities(_ *simulator.Context, req *types.HasPrivilegeOnEntities) soap.HasFault {
	return &methods.HasPrivilegeOnEntitiesBody{Res: &types.HasPrivilegeOnEntitiesResponse{
		Returnval: v.availability(v.userOf(req.SessionId), req.Entity, req.PrivId),
	}}
}

func (v *vcenter) userOf(sessionID string) string {
	for _, session := range v.sessions() {
		if session.Key == sessionID {
			return session.UserName
		}
	}
	return ""
}

func (v *vcenter) availability(user string, entities []types.ManagedObjectReference, ids []string) []types.EntityPrivilege {
	lacking := v.lacking(user, ids)
	var out []types.EntityPrivilege
	for _, entity := range entities {
		granted := types.EntityPrivilege{Entity: entity}
		for _, id := range ids {
			granted.PrivAvailability = append(granted.PrivAvailability, types.PrivilegeAvailability{PrivId: id, IsGranted: !slices.Contains(lacking, id)})
		}
		out = append(out, granted)
	}
	return out
}

func (v *vcenter) labPrivileges(w http.ResponseWriter, r *http.Request) {
	var body struct {
		User    string   `json:"user"`
		Missing []string `json:"missing"`
	}
	if !decode(w, r, &body) {
		return
	}
	if body.User == "" {
		refuse(w, http.StatusBadRequest, "user is needed")
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state.Missing[body.User] = body.Missing
	v.save()
	w.WriteHeader(http.StatusNoContent)
}
