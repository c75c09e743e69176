package main

import (
	"fmt"
	"hash/crc32"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// describeGuest shows what VMware Tools would report.
func (v *vcenter) describeGuest(m *machine, vm *mo.VirtualMachine) {
	guest := types.GuestInfo{
		ToolsStatus:        types.VirtualMachineToolsStatusToolsNotRunning,
		ToolsRunningStatus: string(types.VirtualMachineToolsRunningStatusGuestToolsNotRunning),
		GuestState:         string(types.VirtualMachineGuestStateNotRunning),
	}
	if vm.Guest != nil {
		guest.Net = vm.Guest.Net
	}
	if m.Tools == toolsNotThere {
		guest.ToolsStatus = types.VirtualMachineToolsStatusToolsNotInstalled
	} else if m.on.Load() {
		address := crc32.ChecksumIEEE([]byte(m.name))
		guest.ToolsStatus = types.VirtualMachineToolsStatusToolsOk
		guest.ToolsRunningStatus = string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
		guest.GuestState = string(types.VirtualMachineGuestStateRunning)
		guest.HostName, guest.GuestId = m.name, vm.Config.GuestId
		guest.IpAddress = v.answering.addressOf(m.ref)
		if guest.IpAddress == "" {
			guest.IpAddress = fmt.Sprintf("10.20.%d.%d", address>>8&0xff, 1+address&0x7f)
		}
	}
	vm.Guest = &guest
	vm.Summary.Guest = &types.VirtualMachineGuestSummary{
		GuestId: guest.GuestId, HostName: guest.HostName, IpAddress: guest.IpAddress,
		ToolsStatus: guest.ToolsStatus, ToolsRunningStatus: guest.ToolsRunningStatus,
	}
}

// changeGuest applies a change of what the guest is like and shows it.
func (v *vcenter) changeGuest(m *machine, change func()) {
	vm := v.reg.Get(m.ref).(*simulator.VirtualMachine)
	v.reg.WithLock(&simulator.Context{Map: v.reg}, vm, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		change()
		v.describeGuest(m, &vm.VirtualMachine)
		v.save()
	})
}
