defmodule Bench.Controller do
  @moduledoc "Answers them."
  use Phoenix.Controller, formats: [:json]

  import Plug.Conn

  @wait_ms 50

  # Plug keeps what is no object under a name of its own.
  def echo(%{body_params: %{"_json" => value}} = conn, _), do: json(conn, value)
  def echo(conn, _), do: json(conn, conn.body_params)

  def rpc(conn, _) do
    Process.sleep(@wait_ms)
    json(conn, %{ok: true})
  end

  def get(conn, %{"key" => key}) do
    case Bench.Store.get(key) do
      nil -> conn |> put_status(404) |> json(%{error: "not_found"})
      value -> conn |> put_resp_content_type("application/json") |> send_resp(200, value)
    end
  end

  def put(conn, %{"key" => key}) do
    Bench.Store.put(key, conn.assigns.body)
    send_resp(conn, 204, "")
  end

  def hold(conn, _) do
    {:ok, _} = Registry.register(Bench.Streams, :all, nil)

    conn
    |> put_resp_content_type("text/event-stream")
    |> put_resp_header("cache-control", "no-cache")
    |> send_chunked(200)
    |> chunk_on(": open\n\n")
  end

  def tell(conn, _) do
    event = "data: #{conn.assigns.body}\n\n"
    Registry.dispatch(Bench.Streams, :all, &for({pid, _} <- &1, do: send(pid, {:event, event})))
    json(conn, %{streams: Registry.count_match(Bench.Streams, :all, :_)})
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
