defmodule Bench.Endpoint do
  @moduledoc "What a new Phoenix project for an API has, less what is for browsers, request ids and events of its log."
  use Phoenix.Endpoint, otp_app: :bench

  plug Bench.Body
  plug Plug.Parsers, parsers: [:json], pass: ["*/*"], json_decoder: Phoenix.json_library()
  plug Bench.Router
end
