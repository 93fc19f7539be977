#!/bin/sh
# Compiles the application and all that it needs ahead of time into the folder $1, with a file of arguments for java.
# CLOJURE_CLASSPATH is what deps.edn says, for where Clojure's packages are out of reach.
set -eu
path=${CLOJURE_CLASSPATH:-$(clojure -Spath)}
mkdir -p "$1/classes"
# With direct linking, as in production.  The driver looks the socket's factory up by its name, so nothing that main needs
# would have it compiled.
for name in bench.socket bench.main; do
  java -cp "src:$1/classes:$path" "-Dclojure.compile.path=$1/classes" -Dclojure.compiler.direct-linking=true \
    clojure.lang.Compile "$name"
done
printf -- '-cp "%s"\nbench.main\n' "$1/classes:$path" > "$1/arguments"
