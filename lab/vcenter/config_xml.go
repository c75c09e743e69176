package main

import (
	"bytes"

	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

// encodeConfig writes a machine's configuration as it goes over the wire.
func encodeConfig(config *types.VirtualMachineConfigInfo) ([]byte, error) {
	return xml.Marshal(config)
}

func decodeConfig(raw []byte) (*types.VirtualMachineConfigInfo, error) {
	config := new(types.VirtualMachineConfigInfo)
	decoder := xml.NewDecoder(bytes.NewReader(raw))
	decoder.TypeFunc = types.TypeFunc()
	return config, decoder.Decode(config)
}

func copyConfig(config *types.VirtualMachineConfigInfo) (*types.VirtualMachineConfigInfo, error) {
	raw, err := encodeConfig(config)
	if err != nil {
		return nil, err
	}
	return decodeConfig(raw)
}
