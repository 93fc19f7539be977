(ns bench.store
  "The key-value store: one statement a request, prepared once a connection, each asked by a thread that may wait."
  (:require
    [clojure.string :as string]
    [manifold.deferred :as d]
    [manifold.executor :as executor])
  (:import
    (com.zaxxer.hikari HikariConfig HikariDataSource)
    (java.net URLDecoder)
    (java.sql PreparedStatement)))

(def ^:private get-sql "SELECT value FROM bench_kvs WHERE key = ?")
(def ^:private put-sql
  "INSERT INTO bench_kvs (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")

(defn- config
  "What a pool needs of a URL whose host is a folder with a unix socket."
  ^HikariConfig [url size]
  (let [[_ user database folder] (re-matches #"postgresql://([^@]+)@/([^?]+)\?.*host=([^&]+).*" url)
        socket (str (URLDecoder/decode ^String folder "UTF-8") "/.s.PGSQL.5432")]
    (doto (HikariConfig.)
      (.setJdbcUrl (str "jdbc:postgresql://localhost/" database))
      (.setUsername user)
      (.setMaximumPoolSize (int size))
      (.addDataSourceProperty "sslmode" "disable")
      (.addDataSourceProperty "gssEncMode" "disable")
      (.addDataSourceProperty "socketFactory" "bench.SocketFactory")
      (.addDataSourceProperty "socketFactoryArg" socket)
      ;; Prepared by the server at the first use, not at the fifth.
      (.addDataSourceProperty "prepareThreshold" "1"))))

(defn open
  "A pool, and as many threads."
  [url size]
  {:pool (HikariDataSource. (config url size))
   :threads (executor/fixed-thread-executor size)})

(defn- with-statement [{:keys [^HikariDataSource pool threads]} ^String sql values use]
  (d/future-with threads
    (with-open [connection (.getConnection pool)
                statement (.prepareStatement connection sql)]
      (dorun (map-indexed (fn [at value] (.setString statement (int (inc at)) value)) values))
      (use statement))))

(defn get-value [database key]
  (with-statement database get-sql [key]
    (fn [^PreparedStatement statement]
      (with-open [rows (.executeQuery statement)]
        (when (.next rows) (.getString rows 1))))))

(defn put-value [database key value]
  (with-statement database put-sql [key value]
    (fn [^PreparedStatement statement] (.executeUpdate statement))))
