package main

import (
	"net/http"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// requireSession lets only requests with the cookie of a live session through.
func (v *vcenter) requireSession(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if v.sessionOf(r) == nil {
			refuse(w, http.StatusUnauthorized, "a live vCenter session is required")
			return
		}
		next(w, r)
	}
}

// sessionOf is the live session whose cookie the request carries, or nil.
func (v *vcenter) sessionOf(r *http.Request) *types.UserSession {
	cookie, err := r.Cookie(soap.SessionCookieName)
	if err != nil {
		return nil
	}
	for _, session := range v.sessions() {
		if session.Key == cookie.Value {
			return &session
		}
	}
	return nil
}

func (v *vcenter) sessions() []types.UserSession {
	own := &simulator.Session{Registry: simulator.NewRegistry(), Map: v.reg}
	return own.Get(v.reg.SessionManager().Self).(*simulator.SessionManager).SessionList
}

func (v *vcenter) killSessions() int {
	ctx := &simulator.Context{Map: v.reg, Session: &simulator.Session{Registry: simulator.NewRegistry(), Map: v.reg}}
	list := v.sessions()
	for _, session := range list {
		v.reg.SessionManager().TerminateSession(ctx, &types.TerminateSession{SessionId: []string{session.Key}})
	}
	return len(list)
}
