defmodule Bench.Body do
  @moduledoc "Leaves values and events as they came: only the echo is JSON to us."
  @behaviour Plug

  # As much as ours and Fastify take; a large echo has a quarter of it.
  @body_max 1_048_576

  @impl true
  def init(options), do: options

  @impl true
  def call(%Plug.Conn{path_info: ["bench", "echo"]} = conn, _), do: conn

  def call(conn, _) do
    {:ok, body, conn} = Plug.Conn.read_body(conn, length: @body_max)
    # Whoever comes later finds the body read.
    %{conn | body_params: %{}} |> Plug.Conn.assign(:body, body)
  end
end
