defmodule Bench.Store do
  @moduledoc "The key-value store: one statement a request, prepared once a connection."

  @get "SELECT value FROM bench_kvs WHERE key = $1"
  @put "INSERT INTO bench_kvs (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

  @doc "What a pool needs of a URL whose host is a folder with a unix socket."
  def options(url) do
    %URI{userinfo: user, path: "/" <> database, query: query} = URI.parse(url)
    %{"host" => folder} = URI.decode_query(query)

    [
      name: __MODULE__,
      username: user,
      database: database,
      socket_dir: folder,
      pool_size: String.to_integer(System.get_env("POOL", "16"))
    ]
  end

  def get(key) do
    case Postgrex.query!(__MODULE__, @get, [key], cache_statement: "get").rows do
      [[value]] -> value
      [] -> nil
    end
  end

  def put(key, value), do: Postgrex.query!(__MODULE__, @put, [key, value], cache_statement: "put")
end
