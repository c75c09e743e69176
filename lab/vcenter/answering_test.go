package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

const pageOfShop = `{"name":"shop","tcp":[7432],"http":[{"port":7080,"pages":{"/health":"ok","/broken":"503"}}]}`

// ownNetwork is one that no other practice ground on this host has: it is named after a port that is held meanwhile.
func ownNetwork(t *testing.T) string {
	t.Helper()
	held, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { held.Close() })
	port := held.Addr().(*net.TCPAddr).Port
	return fmt.Sprintf("127.%d.%d.0/24", port>>8, port&0xff)
}

func install(g *ground, machine, text string) {
	g.t.Helper()
	raw := make([]byte, applicationBytes)
	copy(raw, applicationMagic+text)
	key := g.info(machine).Disks[0].DeviceKey
	g.lab("POST", "guest/write", map[string]any{"machine": machine, "deviceKey": key, "hex": hex.EncodeToString(raw)}, nil)
}

func get(url string) string {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return fmt.Sprint(answer.StatusCode, " ", string(body))
}

func TestAMachineThatRunsAnswersFromItsDiskAndNoLonger(t *testing.T) {
	g := startGroundIn(t, ownNetwork(t), "", one("web", true, inventoryDisk{MiB: 1}), one("other", true, inventoryDisk{MiB: 1}))
	address := g.properties("web", "guest").Guest.IpAddress
	if address == g.properties("other", "guest").Guest.IpAddress || !strings.HasPrefix(address, "127.") {
		t.Fatalf("addresses %s and %s", address, g.properties("other", "guest").Guest.IpAddress)
	}
	health := fmt.Sprintf("http://%s:7080/health", address)
	install(g, "web", pageOfShop)
	power := func(state string) {
		g.lab("POST", "power", map[string]any{"machine": "web", "state": state}, nil)
	}
	if answer := get(health); !strings.Contains(answer, "refused") {
		t.Fatalf("an application that was installed on a running machine answers before it starts: %s", answer)
	}
	power("poweredOff")
	power("poweredOn")
	eventually(t, "it answers", func() bool { return get(health) == "200 ok" })
	if answer := get(strings.Replace(health, "health", "broken", 1)); answer != "503 " {
		t.Fatal(answer)
	}
	install(g, "web", strings.Replace(pageOfShop, "ok", "changed", 1))
	if answer := get(health); answer != "200 changed" {
		t.Fatalf("not the bytes of the disk: %s", answer)
	}
	conn, err := net.Dial("tcp", net.JoinHostPort(address, "7432"))
	if err != nil {
		t.Fatal(err)
	}
	if said, _ := io.ReadAll(conn); string(said) != "shop\n" {
		t.Fatalf("%q", said)
	}
	power("poweredOff")
	eventually(t, "it answers no more", func() bool { return strings.Contains(get(health), "refused") })
}
