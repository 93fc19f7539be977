(ns bench.main
  "Aleph as its manual builds it for speed: handlers on the event loop, which wait for nothing, and JSON by jsonista."
  (:require
    [aleph.http :as http]
    [bench.store :as store]
    [bench.streams :as streams]
    [clojure.string :as string]
    [jsonista.core :as json]
    [manifold.deferred :as d]
    [manifold.time :as time])
  (:import
    (com.fasterxml.jackson.core JsonProcessingException)
    (java.io InputStream)
    (java.net InetSocketAddress)
    (java.util Map))
  (:gen-class))

(def ^:private wait-ms 50)
(def ^:private body-max (* 1024 1024))
(def ^:private kvs "/bench/kvs/")

(defn- answer [status body]
  {:status status :headers {"content-type" "application/json"} :body body})

(defn- answer-json [status value]
  (answer status (json/write-value-as-bytes value)))

(defn- body-of ^bytes [{:keys [^InputStream body]}]
  (if body (.readAllBytes body) (byte-array 0)))

(defn- echo [request]
  (try
    (answer-json 200 (json/read-value (body-of request)))
    (catch JsonProcessingException _ (answer-json 400 {"error" "bad_json"}))))

(defn- rpc [_]
  (time/in wait-ms #(answer-json 200 {"ok" true})))

(defn- get-value [database key]
  (d/chain
    (store/get-value database key)
    (fn [value] (if value (answer 200 value) (answer-json 404 {"error" "not_found"})))))

(defn- put-value [database key request]
  (d/chain
    (store/put-value database key (String. (body-of request) "UTF-8"))
    (fn [_] {:status 204})))

(defn- hold [held _]
  {:status 200
   :headers {"content-type" "text/event-stream" "cache-control" "no-cache"}
   :body (streams/hold held)})

(defn- tell [held request]
  (answer-json 200 {"streams" (streams/tell held (str "data: " (String. (body-of request) "UTF-8") "\n\n"))}))

(defn- handler [database held]
  (fn [{:keys [request-method ^String uri] :as request}]
    (case [request-method uri]
      [:post "/bench/echo"] (echo request)
      [:get "/bench/rpc"] (rpc request)
      [:get "/bench/stream"] (hold held request)
      [:post "/bench/stream"] (tell held request)
      (let [key (when (string/starts-with? uri kvs) (subs uri (count kvs)))]
        (cond
          (and key (= :get request-method)) (get-value database key)
          (and key (= :put request-method)) (put-value database key request)
          :else (answer-json 404 {"error" "not_found"}))))))

(defn -main [& _]
  (let [^Map env (System/getenv)
        database (store/open (.get env "DATABASE_URL") (parse-long (.getOrDefault env "POOL" "16")))
        port (parse-long (.get env "PORT"))]
    (http/start-server
      (handler database (streams/none))
      {:socket-address (InetSocketAddress. "127.0.0.1" (int port))
       :executor :none
       ;; A handler is called when its request is here as a whole: what is read of larger ones would have to be
       ;; waited for.  None of a benchmark's is.
       :request-buffer-size body-max
       :transport :epoll})))
