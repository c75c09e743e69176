package main

import (
	"sync"
	"time"
)

// pace slows reads down: a fixed delay each, and a rate over all connections.
type pace struct {
	mu             sync.Mutex
	delay          time.Duration
	bytesPerSecond int64
	next           time.Time
}

func (p *pace) set(delay time.Duration, bytesPerSecond int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay, p.bytesPerSecond, p.next = delay, bytesPerSecond, time.Time{}
}

func (p *pace) wait(bytes int64) {
	p.mu.Lock()
	sleep := p.delay
	if p.bytesPerSecond > 0 {
		now := time.Now()
		if p.next.Before(now) {
			p.next = now
		}
		p.next = p.next.Add(time.Duration(float64(bytes) / float64(p.bytesPerSecond) * float64(time.Second)))
		sleep += p.next.Sub(now)
	}
	p.mu.Unlock()
	time.Sleep(sleep)
}
