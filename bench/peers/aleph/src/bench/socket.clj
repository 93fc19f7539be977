(ns bench.socket
  "PostgreSQL's unix socket for its JDBC driver, which knows of TCP alone: a socket whose streams are a channel's."
  (:import
    (java.io InputStream OutputStream)
    (java.net Socket StandardProtocolFamily UnixDomainSocketAddress)
    (java.nio.channels Channels SocketChannel))
  (:gen-class
    :name bench.SocketFactory
    :extends javax.net.SocketFactory
    :init init
    :constructors {[String] []}
    :state path))

(defn- unix-socket
  "Connected; of what can be asked of a socket, what the driver asks.  One thread at a time reads or writes."
  ^Socket [^String path]
  (let [channel (doto (SocketChannel/open StandardProtocolFamily/UNIX) (.connect (UnixDomainSocketAddress/of path)))
        ^InputStream in (Channels/newInputStream channel)
        ^OutputStream out (Channels/newOutputStream channel)]
    (proxy [Socket] []
      (isConnected [] true)
      (isClosed [] (not (.isOpen channel)))
      (getInputStream [] in)
      (getOutputStream [] out)
      (getSoTimeout [] 0)
      (setSoTimeout [_])
      (setTcpNoDelay [_])
      (setKeepAlive [_])
      (getSendBufferSize [] 8192)
      (setSendBufferSize [_])
      (setReceiveBufferSize [_])
      (close [] (.close channel)))))

(defn -init [path]
  [[] path])

(defn -createSocket
  ([^bench.SocketFactory this] (unix-socket (.path this)))
  ([this _ _] (-createSocket this))
  ([this _ _ _ _] (-createSocket this)))
