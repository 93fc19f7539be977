(ns bench.streams
  "Held streams: one event to all that are open."
  (:require
    [manifold.stream :as s])
  (:import
    (java.util Set)
    (java.util.concurrent ConcurrentHashMap)))

(defn none ^Set []
  (ConcurrentHashMap/newKeySet))

(defn hold [^Set held]
  (let [events (s/stream 2)]
    (s/put! events ": open\n\n")
    (.add held events)
    (s/on-closed events #(.remove held events))
    events))

(defn tell [^Set held event]
  (doseq [events held]
    (s/put! events event))
  (.size held))
