#!/bin/sh
# Compiles the application and all that it needs ahead of time into the folder $1, with a file of arguments for java.
# CLOJURE_CLASSPATH is what deps.edn says, for where Clojure's packages are out of reach.
set -eu
if [ -z "${CLOJURE_CLASSPATH:-}" ] && ! clojure -Sdescribe > /dev/null 2>&1; then
  # Debian's program of that name takes -Spath for a file, and ends with where it has written down that there is none.
  echo "Clojure's command line tool is missing; Debian's clojure is another program" >&2
  exit 1
fi
path=${CLOJURE_CLASSPATH:-$(clojure -Spath)}
mkdir -p "$1/classes"
# With direct linking, as in production.  The driver looks the socket's factory up by its name, so nothing that main needs
# would have it compiled.
for name in bench.socket bench.main; do
  java -cp "src:$1/classes:$path" "-Dclojure.compile.path=$1/classes" -Dclojure.compiler.direct-linking=true \
    clojure.lang.Compile "$name"
done
printf -- '-cp "%s"\nbench.main\n' "$1/classes:$path" > "$1/arguments"
