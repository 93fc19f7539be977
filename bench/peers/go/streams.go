package main

import (
	"fmt"
	"io"
	"net/http"
	"sync"
)

// waitingMax is how many events may wait for one reader.
const waitingMax = 16

// streams are the callers that are held, each waiting at a channel of its own.
type streams struct {
	mutex sync.Mutex
	open  map[chan string]struct{}
}

func newStreams() *streams {
	return &streams{open: map[chan string]struct{}{}}
}

func (s *streams) add() chan string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	events := make(chan string, waitingMax)
	s.open[events] = struct{}{}
	return events
}

func (s *streams) remove(events chan string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.open, events)
}

func (s *streams) tell(event string) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for events := range s.open {
		select {
		case events <- event:
		default:
			// A reader who is behind by a whole channel misses it: nobody else waits for one, with the mutex held.
		}
	}
	return len(s.open)
}

func (s *server) hold(w http.ResponseWriter, r *http.Request) {
	events := s.streams.add()
	defer s.streams.remove(events)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	flusher := w.(http.Flusher)
	io.WriteString(w, ": open\n\n")
	flusher.Flush()
	for {
		select {
		case event := <-events:
			io.WriteString(w, event)
			flusher.Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func (s *server) tell(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	answer(w, http.StatusOK, map[string]int{"streams": s.streams.tell(fmt.Sprintf("data: %s\n\n", text))})
}
