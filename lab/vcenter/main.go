// Command vcenter is the practice vCenter: VMware's own simulator with real disk bytes, changed-block tracking,
// disk exports over NBD, and guests that write. See docs/lab-vcenter.md.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vmware/govmomi/simulator"
)

type options struct {
	listen, nbdListen, stateDir, readyFile, username, passwordFile, inventory, guestNetwork string
}

type ready struct {
	URL               string `json:"url"`
	CertificateSHA256 string `json:"certificateSha256"`
	CertificateFile   string `json:"certificateFile"`
	NBDHost           string `json:"nbdHost"`
	NBDPort           int    `json:"nbdPort"`
	Username          string `json:"username"`
	PasswordFile      string `json:"passwordFile"`
}

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:0", "address of the HTTPS port")
	flag.StringVar(&o.nbdListen, "nbd-listen", "127.0.0.1:0", "address of the NBD port (loopback: NBD here is plain TCP)")
	flag.StringVar(&o.stateDir, "state", "", "directory of disks and state (required)")
	flag.StringVar(&o.readyFile, "ready-file", "", "file to write the addresses to, as JSON, when serving")
	flag.StringVar(&o.username, "username", "administrator@vsphere.local", "the only user")
	flag.StringVar(&o.passwordFile, "password-file", "", "file with the user's password; default: made in the state directory")
	flag.StringVar(&o.inventory, "inventory", "", "JSON list of machines; default: four small ones")
	flag.StringVar(&o.guestNetwork, "guest-network", "", "network on loopback, /24, in which machines that run have addresses and answer; default: none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	s, err := start(ctx, o)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.ready.URL)
	<-ctx.Done()
	s.close()
}

type server struct {
	ready ready
	v     *vcenter
	close func()
}

func start(ctx context.Context, o options) (*server, error) {
	if o.stateDir == "" {
		return nil, fmt.Errorf("--state is required")
	}
	st, err := loadState(o.stateDir)
	if err != nil {
		return nil, err
	}
	inventory, err := readInventory(o.inventory)
	if err != nil {
		return nil, err
	}
	cert, err := loadCertificate(o.stateDir)
	if err != nil {
		return nil, err
	}
	password, err := readPassword(&o)
	if err != nil {
		return nil, err
	}
	model, err := newModel(st)
	if err != nil {
		return nil, err
	}
	past, err := openHistory(o.stateDir)
	if err != nil {
		return nil, err
	}
	answers, err := newAnswering(o.guestNetwork)
	if err != nil {
		model.Remove()
		return nil, err
	}
	v := newVCenter(model.Service, st, past, answers)
	if err := v.populate(ctx, inventory); err != nil {
		model.Remove()
		return nil, err
	}
	v.save()
	return v.listen(o, model, cert, password)
}

// newModel makes the simulator's hosts and networks; its scratch files live in the state directory.
func newModel(st *state) (*simulator.Model, error) {
	scratch := filepath.Join(st.dir, "simulator")
	if err := os.RemoveAll(scratch); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return nil, err
	}
	log.SetFlags(0)
	model := simulator.VPX()
	model.Machine, model.Host, model.Datastore = 0, 0, 0
	about := &model.ServiceContent.About
	about.ApiVersion, about.Version, about.Build = "8.0.2.0", "8.0.2", "22617221"
	about.FullName = "VMware vCenter Server 8.0.2 build-22617221"
	about.InstanceUuid = st.InstanceUUID
	before := os.Getenv("TMPDIR") // where the simulator makes its directory
	os.Setenv("TMPDIR", scratch)
	defer os.Setenv("TMPDIR", before)
	return model, model.Create()
}

func (v *vcenter) listen(o options, model *simulator.Model, cert *certificate, password string) (*server, error) {
	nbd, err := net.Listen("tcp", o.nbdListen)
	if err != nil {
		return nil, err
	}
	v.exports.addr = nbd.Addr().(*net.TCPAddr)
	service := model.Service
	service.Listen = &url.URL{Host: o.listen, User: url.UserPassword(o.username, password)}
	service.TLS = cert.tlsConfig()
	service.ServeMux = http.NewServeMux()
	v.routes(service.ServeMux, cert)
	https := service.NewServer()
	go v.exports.serve(nbd)
	tagsErr := v.serveTags()
	r := ready{
		URL: "https://" + https.URL.Host, CertificateSHA256: cert.sha256(), CertificateFile: cert.certFile,
		NBDHost: v.exports.addr.IP.String(), NBDPort: v.exports.addr.Port, Username: o.username, PasswordFile: o.passwordFile,
	}
	s := &server{ready: r, v: v, close: sync.OnceFunc(func() {
		nbd.Close()
		v.guests.stopAll()
		v.answering.stopAll()
		stopServing(https)
		model.Remove()
		v.mu.Lock()
		defer v.mu.Unlock()
		v.save()
		v.state.close()
		v.history.close()
	})}
	if tagsErr != nil {
		s.close()
		return nil, tagsErr
	}
	if o.readyFile == "" {
		return s, nil
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return s, writeFileAtomically(o.readyFile, append(raw, '\n'))
}

// stopServing does not wait for calls that wait for updates.
func stopServing(https *simulator.Server) {
	closed := make(chan struct{})
	go func() {
		https.CloseClientConnections()
		https.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(time.Second):
	}
}

// readPassword makes a password file when none was named.
func readPassword(o *options) (string, error) {
	if o.passwordFile == "" {
		o.passwordFile = filepath.Join(o.stateDir, "password")
		if _, err := os.Stat(o.passwordFile); err != nil {
			if err := writeFileAtomically(o.passwordFile, []byte(randomHex(16)+"\n")); err != nil {
				return "", err
			}
		}
	}
	file, err := os.Open(o.passwordFile)
	if err != nil {
		return "", err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, 4096))
	password := strings.TrimRight(string(raw), "\r\n")
	if err == nil && password == "" {
		err = fmt.Errorf("%s is empty", o.passwordFile)
	}
	return password, err
}
