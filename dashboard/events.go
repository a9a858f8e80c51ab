package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// streaming are the limits of event streams.
type streaming struct {
	most      int           // at once
	heartbeat time.Duration // after which a silent one says that it lives
	slowest   time.Duration // that a reader may keep an event waiting
	pause     time.Duration // between two events
}

var usualStreaming = streaming{most: 64, heartbeat: 15 * time.Second, slowest: 10 * time.Second, pause: 200 * time.Millisecond}

// retry is what a browser waits before it connects again.
const retry = time.Second

// stream sends what snapshot returns at once and whenever it has changed after the
// topic was announced. Each event is all that a reader must know, so none is kept
// for a slow one: it misses those in between, and loses the connection when it takes
// nothing for long. The id of an event is a hash of it: a browser that comes back
// with the last one gets nothing until there is something new.
func (s *Server) stream(w http.ResponseWriter, req *http.Request, t *topic, snapshot func() any) {
	if int(s.streams.Add(1)) > s.streaming.most {
		s.streams.Add(-1)
		w.Header().Set("Retry-After", "5")
		refusal(w, http.StatusServiceUnavailable, "Too many pages are open.")
		return
	}
	defer s.streams.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy must not wait for more
	if req.Method == http.MethodHead {
		return
	}
	send := func(text string) error {
		control := http.NewResponseController(w)
		if err := control.SetWriteDeadline(time.Now().Add(s.streaming.slowest)); err != nil {
			return err
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return err
		}
		return control.Flush()
	}
	if send(fmt.Sprintf("retry: %d\n\n", retry.Milliseconds())) != nil {
		return
	}
	alive := time.NewTicker(s.streaming.heartbeat)
	defer alive.Stop()
	last := req.Header.Get("Last-Event-ID")
	for {
		next := t.wait() // before the snapshot: a change after it is not missed
		js, err := json.Marshal(snapshot())
		if err != nil {
			return // the state has no number that is not finite
		}
		if id := fmt.Sprintf("%x", digest(string(js))[:8]); id != last {
			last = id
			if send(fmt.Sprintf("id: %s\nevent: state\ndata: %s\n\n", id, js)) != nil {
				return
			}
		}
	waiting:
		for {
			select {
			case <-req.Context().Done():
				return
			case <-s.stopped:
				return
			case <-alive.C:
				if send(": alive\n\n") != nil {
					return
				}
				break waiting // snapshot notes that somebody looks
			case <-next:
				break waiting
			}
		}
		select { // changes come in bursts
		case <-req.Context().Done():
			return
		case <-s.stopped:
			return
		case <-time.After(s.streaming.pause):
		}
	}
}
