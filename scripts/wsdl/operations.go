package main

import (
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// operations is every call the product makes, or will make for failback. A call needs nothing else here:
// all types that its request and response name are found by reflection.
var operations = []any{
	// Session
	methods.RetrieveServiceContentBody{},
	methods.LoginBody{},
	methods.LogoutBody{},
	methods.CurrentTimeBody{},
	methods.FetchUserPrivilegeOnEntitiesBody{},

	// Inventory
	methods.CreateContainerViewBody{},
	methods.DestroyViewBody{},
	methods.RetrievePropertiesExBody{},
	methods.ContinueRetrievePropertiesExBody{},
	methods.CancelRetrievePropertiesExBody{},
	methods.FindByUuidBody{},
	methods.FindByInventoryPathBody{},

	// Tasks
	methods.CreatePropertyCollectorBody{},
	methods.DestroyPropertyCollectorBody{},
	methods.CreateFilterBody{},
	methods.WaitForUpdatesExBody{},
	methods.CancelWaitForUpdatesBody{},
	methods.CancelTaskBody{},

	// Replication
	methods.ReconfigVM_TaskBody{},
	methods.CreateSnapshot_TaskBody{},
	methods.RemoveSnapshot_TaskBody{},
	methods.RevertToSnapshot_TaskBody{},
	methods.QueryChangedDiskAreasBody{},

	// Power
	methods.ShutdownGuestBody{},
	methods.PowerOffVM_TaskBody{},
	methods.PowerOnVM_TaskBody{},
	methods.AnswerVMBody{},

	// Failback
	methods.CreateVM_TaskBody{},
	methods.Destroy_TaskBody{},
	methods.CreateVirtualDisk_TaskBody{},
	methods.ExtendVirtualDisk_TaskBody{},
	methods.DeleteVirtualDisk_TaskBody{},
	methods.MakeDirectoryBody{},
	methods.ConsolidateVMDisks_TaskBody{},
}

// derivedTypes appear on the wire where only their base is declared (`xsi:type`), so reflection cannot find them.
// Without an entry such an element is read by its base: fields stay text and arrays of one collapse.
var derivedTypes = []any{
	types.TraversalSpec{},
	types.TaskInfo{},
	types.VirtualMachineSnapshotInfo{},
	types.VirtualMachineConfigInfo{},
	types.VirtualMachineQuestionInfo{},
	types.OptionValue{},
	types.UserSession{},
	types.ArrayOfManagedObjectReference{},
	types.ArrayOfString{},
	types.ArrayOfVirtualDevice{},
	types.ArrayOfVirtualMachineSnapshotTree{},

	types.VirtualDisk{},
	types.VirtualDiskFlatVer2BackingInfo{},
	types.VirtualDiskSeSparseBackingInfo{},
	types.VirtualDiskSparseVer2BackingInfo{},
	types.VirtualDiskRawDiskMappingVer1BackingInfo{},
	types.VirtualDiskRawDiskVer2BackingInfo{},
	types.FileBackedVirtualDiskSpec{},

	types.ParaVirtualSCSIController{},
	types.VirtualLsiLogicController{},
	types.VirtualLsiLogicSASController{},
	types.VirtualBusLogicController{},
	types.VirtualAHCIController{},
	types.VirtualNVMEController{},
	types.VirtualIDEController{},

	types.VirtualE1000{},
	types.VirtualE1000e{},
	types.VirtualVmxnet2{},
	types.VirtualVmxnet3{},
	types.VirtualPCNet32{},
	types.VirtualSriovEthernetCard{},
	types.VirtualEthernetCardNetworkBackingInfo{},
	types.VirtualEthernetCardDistributedVirtualPortBackingInfo{},
	types.VirtualEthernetCardOpaqueNetworkBackingInfo{},

	types.ApplicationQuiesceFault{},
	types.ConcurrentAccess{},
	types.DuplicateName{},
	types.FileFault{},
	types.FileLocked{},
	types.FileNotFound{},
	types.FilesystemQuiesceFault{},
	types.GenericVmConfigFault{},
	types.HostNotConnected{},
	types.InsufficientResourcesFault{},
	types.InvalidArgument{},
	types.InvalidLogin{},
	types.InvalidPowerState{},
	types.InvalidState{},
	types.ManagedObjectNotFound{},
	types.NoDiskSpace{},
	types.NoPermission{},
	types.NotAuthenticated{},
	types.NotFound{},
	types.NotSupported{},
	types.RequestCanceled{},
	types.ResourceInUse{},
	types.SnapshotFault{},
	types.TaskInProgress{},
	types.ToolsUnavailable{},
}
