package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/vmware/govmomi/vapi/rest"
	vapi "github.com/vmware/govmomi/vapi/simulator"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// tagging is VMware's own simulator of vCenter's REST API, which keeps tags. It forgets them with the process: what
// machines carry is in the state.
type tagging struct {
	status atomic.Int32 // with which every request is refused; 0: none is
}

// serveTags begins once the service listens: the simulator asks for its final address.
func (v *vcenter) serveTags() error {
	_, api := vapi.New(v.service.Listen, v.reg)
	v.service.ServeMux.HandleFunc(rest.Path+"/", func(w http.ResponseWriter, r *http.Request) {
		if status := v.tagging.status.Load(); status != 0 {
			refuse(w, int(status), "refused by the practice control")
			return
		}
		api.ServeHTTP(w, r)
	})
	v.mu.Lock()
	carried := map[types.ManagedObjectReference][]string{}
	for ref, m := range v.byRef {
		if len(m.Tags) > 0 {
			carried[ref] = m.Tags
		}
	}
	v.mu.Unlock()
	return v.attachTags(carried)
}

// attachTags gives machines exactly these tags; categories and tags that do not exist are made.
func (v *vcenter) attachTags(carried map[types.ManagedObjectReference][]string) error {
	if len(carried) == 0 {
		return nil
	}
	ctx := context.Background()
	client, err := vim25.NewClient(ctx, soap.NewClient(v.service.Listen, true))
	if err != nil {
		return err
	}
	session := rest.NewClient(client)
	if err := session.Login(ctx, v.service.Listen.User); err != nil {
		return err
	}
	defer session.Logout(ctx)
	manager := tags.NewManager(session)
	for ref, names := range carried {
		if err := setTags(ctx, manager, ref, names); err != nil {
			return err
		}
	}
	return nil
}

func setTags(ctx context.Context, manager *tags.Manager, ref types.ManagedObjectReference, names []string) error {
	before, err := manager.ListAttachedTags(ctx, ref)
	if err != nil {
		return err
	}
	var wanted []string
	for _, name := range names {
		id, err := tagNamed(ctx, manager, name)
		if err != nil {
			return err
		}
		wanted = append(wanted, id)
		if err := manager.AttachTag(ctx, id, ref); err != nil {
			return err
		}
	}
	for _, id := range before {
		if !slices.Contains(wanted, id) {
			if err := manager.DetachTag(ctx, id, ref); err != nil {
				return err
			}
		}
	}
	return nil
}

func tagNamed(ctx context.Context, manager *tags.Manager, name string) (string, error) {
	of, short, ok := strings.Cut(name, "/")
	if !ok || of == "" || short == "" {
		return "", fmt.Errorf("tag %q is not category/tag", name)
	}
	categories, err := manager.GetCategories(ctx)
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(categories, func(c tags.Category) bool { return c.Name == of })
	if at < 0 {
		if _, err := manager.CreateCategory(ctx, &tags.Category{Name: of, Cardinality: "MULTIPLE"}); err != nil {
			return "", err
		}
	} else if all, err := manager.GetTagsForCategory(ctx, categories[at].ID); err != nil {
		return "", err
	} else if known := slices.IndexFunc(all, func(t tags.Tag) bool { return t.Name == short }); known >= 0 {
		return all[known].ID, nil
	}
	return manager.CreateTag(ctx, &tags.Tag{Name: short, CategoryID: of})
}

func (v *vcenter) labTags(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Machine string   `json:"machine"`
		Tags    []string `json:"tags"`
	}
	if !decode(w, r, &body) {
		return
	}
	m := v.labMachine(w, body.Machine)
	if m == nil {
		return
	}
	if err := v.attachTags(map[types.ManagedObjectReference][]string{m.ref: body.Tags}); err != nil {
		refuse(w, http.StatusConflict, err.Error())
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	m.Tags = body.Tags
	v.save()
	w.WriteHeader(http.StatusNoContent)
}

func (v *vcenter) labTagging(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Status int32 `json:"status"`
	}
	if !decode(w, r, &body) {
		return
	}
	if body.Status != 0 && (body.Status < 400 || body.Status > 599) {
		refuse(w, http.StatusBadRequest, "status is 400 to 599, or 0")
		return
	}
	v.tagging.status.Store(body.Status)
	w.WriteHeader(http.StatusNoContent)
}
