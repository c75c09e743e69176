package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// certificate is self-signed, as a vCenter's usually is, and kept in the state directory.
type certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
}

func loadCertificate(dir string) (*certificate, error) {
	c := &certificate{certFile: filepath.Join(dir, "certificate.pem"), keyFile: filepath.Join(dir, "key.pem")}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return c, c.rotate()
	}
	c.current.Store(&pair)
	return c, nil
}

func (c *certificate) rotate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "practice-vcenter", Organization: []string{"Switchback lab"}},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(2, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return err
	}
	if err := writeFileAtomically(c.certFile, certPEM); err != nil {
		return err
	}
	if err := writeFileAtomically(c.keyFile, keyPEM); err != nil {
		return err
	}
	c.current.Store(&pair)
	return nil
}

// sha256 is the fingerprint of the DER leaf, upper-case pairs joined by colons.
func (c *certificate) sha256() string {
	sum := sha256.Sum256(c.current.Load().Certificate[0])
	return strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}

// tlsConfig gives each new connection the current certificate. Without tickets a client cannot miss a rotation.
func (c *certificate) tlsConfig() *tls.Config {
	fresh := func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{
			Certificates:           []tls.Certificate{*c.current.Load()},
			NextProtos:             []string{"http/1.1"},
			SessionTicketsDisabled: true,
			MinVersion:             tls.VersionTLS12,
		}, nil
	}
	return &tls.Config{GetConfigForClient: fresh, Certificates: []tls.Certificate{*c.current.Load()}, MinVersion: tls.VersionTLS12}
}
