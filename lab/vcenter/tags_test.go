package main

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25/types"
)

// tagsOf asks as a client does: a session of the REST API's own.
func (g *ground) tagsOf(machine string) []string {
	g.t.Helper()
	session := rest.NewClient(g.client)
	if err := session.Login(g.ctx, url.UserPassword(g.ready.Username, g.password())); err != nil {
		g.t.Fatal(err)
	}
	defer session.Logout(g.ctx)
	m := g.v.machineNamed(machine)
	attached, err := tags.NewManager(session).GetAttachedTags(g.ctx, types.ManagedObjectReference{Type: "VirtualMachine", Value: m.ref.Value})
	if err != nil {
		g.t.Fatal(err)
	}
	names := []string{}
	for _, tag := range attached {
		names = append(names, tag.Name)
	}
	slices.Sort(names)
	return names
}

func (g *ground) expectTags(machine string, want ...string) {
	g.t.Helper()
	if got := g.tagsOf(machine); !slices.Equal(got, want) {
		g.t.Fatalf("tags of %s: %v, want %v", machine, got, want)
	}
}

func TestTagsAreOfTheInventoryAndOutliveARestart(t *testing.T) {
	g := startGround(t, "", inventoryMachine{Name: "db", Tags: []string{"tier/db", "site/berlin"}}, inventoryMachine{Name: "web"})
	g.expectTags("db", "berlin", "db")
	g.expectTags("web")
	if status, _ := g.call("POST", "/_lab/tags", map[string]any{"machine": "db", "tags": []string{"tier/web"}}, nil); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	g.expectTags("db", "web")
	g.afterKill().expectTags("db", "web")
}

func TestTheTaggingServiceCanRefuse(t *testing.T) {
	g := startGround(t, "", inventoryMachine{Name: "db"})
	g.call("POST", "/_lab/tagging", map[string]int{"status": 403}, nil)
	session := rest.NewClient(g.client)
	if err := session.Login(g.ctx, url.UserPassword(g.ready.Username, g.password())); err == nil {
		t.Fatal("the login was not refused")
	}
	g.call("POST", "/_lab/tagging", map[string]int{"status": 0}, nil)
	g.expectTags("db")
}
