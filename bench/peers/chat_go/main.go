// A bare bot on net/http, with no promises at all: what a chat turn costs when it is only proved, asked and said.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
)

type delivery struct {
	Type  string `json:"type"`
	Event struct {
		User     string `json:"user"`
		Text     string `json:"text"`
		Channel  string `json:"channel"`
		ThreadTS string `json:"thread_ts"`
	} `json:"event"`
}

type message struct {
	Text string `json:"text"`
}

type question struct {
	Message message `json:"message"`
	User    string  `json:"user"`
}

type reply struct {
	Parts []message `json:"parts"`
}

type post struct {
	Channel  string `json:"channel"`
	ThreadTS string `json:"thread_ts"`
	Text     string `json:"text"`
}

var (
	secret    = []byte(os.Getenv("SLACK_SIGNING_SECRET"))
	bearer    = "Bearer " + os.Getenv("SLACK_BOT_TOKEN")
	assistant = os.Getenv("ASSISTANT_URL")
	slack     = os.Getenv("SLACK_API_URL") + "/chat.postMessage"
	client    = &http.Client{Transport: &http.Transport{MaxConnsPerHost: 256, MaxIdleConnsPerHost: 256}}
)

func main() {
	http.HandleFunc(os.Getenv("HOOK"), hook)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}

func hook(answer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil || !proved(request.Header, body) {
		answer.WriteHeader(http.StatusUnauthorized)
		return
	}
	var said delivery
	if json.Unmarshal(body, &said) != nil || said.Type != "event_callback" {
		answer.WriteHeader(http.StatusBadRequest)
		return
	}
	go turn(said)
}

func proved(header http.Header, body []byte) bool {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("v0:" + header.Get("X-Slack-Request-Timestamp") + ":"))
	mac.Write(body)
	signature := "v0=" + hex.EncodeToString(mac.Sum(nil))
	return hmac.Equal([]byte(signature), []byte(header.Get("X-Slack-Signature")))
}

func turn(said delivery) {
	var answer reply
	if call(assistant, question{message{said.Event.Text}, said.Event.User}, &answer) != nil || len(answer.Parts) == 0 {
		return
	}
	var taken struct{ Ok bool }
	if err := call(slack, post{said.Event.Channel, said.Event.ThreadTS, answer.Parts[0].Text}, &taken); err != nil {
		log.Print(err)
	}
}

func call(url string, said, heard any) error {
	body, err := json.Marshal(said)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("Authorization", bearer)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(heard); err != nil {
		return err
	}
	// A connection whose answer was not read to its end is not used again.
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
