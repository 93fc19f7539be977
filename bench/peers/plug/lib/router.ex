defmodule Bench.Router do
  @moduledoc "The routes that every contestant answers."
  use Plug.Router

  @wait_ms 50
  # As much as ours and Fastify take; a large echo has a quarter of it.
  @body_max 1_048_576

  plug :match
  plug :dispatch

  post "/bench/echo" do
    {:ok, body, conn} = read_body(conn, length: @body_max)

    case Jason.decode(body) do
      {:ok, value} -> json(conn, 200, value)
      {:error, _} -> json(conn, 400, %{error: "bad_json"})
    end
  end

  get "/bench/rpc" do
    Process.sleep(@wait_ms)
    json(conn, 200, %{ok: true})
  end

  get "/bench/kvs/:key" do
    case Bench.Store.get(key) do
      nil -> json(conn, 404, %{error: "not_found"})
      value -> send_json(conn, 200, value)
    end
  end

  put "/bench/kvs/:key" do
    {:ok, value, conn} = read_body(conn, length: @body_max)
    Bench.Store.put(key, value)
    send_resp(conn, 204, "")
  end

  get "/bench/stream" do
    {:ok, _} = Registry.register(Bench.Streams, :all, nil)

    conn
    |> put_resp_content_type("text/event-stream")
    |> put_resp_header("cache-control", "no-cache")
    |> send_chunked(200)
    |> chunk_on(": open\n\n")
  end

  post "/bench/stream" do
    {:ok, body, conn} = read_body(conn, length: @body_max)
    event = "data: #{body}\n\n"
    Registry.dispatch(Bench.Streams, :all, &for({pid, _} <- &1, do: send(pid, {:event, event})))
    json(conn, 200, %{streams: Registry.count_match(Bench.Streams, :all, :_)})
  end

  match _ do
    json(conn, 404, %{error: "not_found"})
  end

  defp json(conn, status, value), do: send_json(conn, status, Jason.encode_to_iodata!(value))

  defp send_json(conn, status, body) do
    conn |> put_resp_content_type("application/json") |> send_resp(status, body)
  end

  # A held stream is a process that waits for what it is told; it sees that its caller has gone when it next writes.
  defp chunk_on(conn, event) do
    case chunk(conn, event) do
      {:ok, conn} ->
        receive do
          {:event, event} -> chunk_on(conn, event)
        end

      {:error, _} ->
        conn
    end
  end
end
