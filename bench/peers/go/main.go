// Go's own net/http, with nothing on top; pgx for the key-value store.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	rpcWait = 50 * time.Millisecond
	get     = "SELECT value FROM bench_kvs WHERE key = $1"
	put     = "INSERT INTO bench_kvs (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)

type server struct {
	database *pgxpool.Pool
	streams  *streams
}

func main() {
	database, err := pgxpool.NewWithConfig(context.Background(), poolConfig())
	if err != nil {
		log.Fatal(err)
	}
	s := &server{database, newStreams()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /bench/echo", s.echo)
	mux.HandleFunc("GET /bench/rpc", s.rpc)
	mux.HandleFunc("GET /bench/kvs/{key}", s.get)
	mux.HandleFunc("PUT /bench/kvs/{key}", s.put)
	mux.HandleFunc("GET /bench/stream", s.hold)
	mux.HandleFunc("POST /bench/stream", s.tell)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux))
}

// pgx prepares each statement once a connection by itself.
func poolConfig() *pgxpool.Config {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns = 16
	if size, err := strconv.Atoi(os.Getenv("POOL")); err == nil {
		config.MaxConns = int32(size)
	}
	return config
}

func (s *server) echo(w http.ResponseWriter, r *http.Request) {
	var value any
	decoder := json.NewDecoder(r.Body)
	// As they came: a float would lose the last digits of large integers.
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": "bad_json"})
		return
	}
	answer(w, http.StatusOK, value)
}

func (s *server) rpc(w http.ResponseWriter, r *http.Request) {
	time.Sleep(rpcWait)
	answer(w, http.StatusOK, map[string]bool{"ok": true})
}

func (s *server) get(w http.ResponseWriter, r *http.Request) {
	var value string
	err := s.database.QueryRow(r.Context(), get, r.PathValue("key")).Scan(&value)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		answer(w, http.StatusNotFound, map[string]string{"error": "not_found"})
	case err != nil:
		answer(w, http.StatusInternalServerError, map[string]string{"error": "store"})
	default:
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, value)
	}
}

func (s *server) put(w http.ResponseWriter, r *http.Request) {
	value, err := io.ReadAll(r.Body)
	if err == nil {
		_, err = s.database.Exec(r.Context(), put, r.PathValue("key"), string(value))
	}
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]string{"error": "store"})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func answer(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}
