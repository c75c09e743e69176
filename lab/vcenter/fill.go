package main

const maxFilesystemMiB = 64 << 10

func (v *vcenter) fillDisks(m *machine, wanted []inventoryDisk) error { return nil }
