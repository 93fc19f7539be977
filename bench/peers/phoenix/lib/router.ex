defmodule Bench.Router do
  @moduledoc "The routes that every contestant answers."
  use Phoenix.Router

  pipeline :api do
    plug :accepts, ["json"]
  end

  scope "/bench", Bench do
    pipe_through :api

    post "/echo", Controller, :echo
    get "/rpc", Controller, :rpc
    get "/kvs/:key", Controller, :get
    put "/kvs/:key", Controller, :put
    post "/stream", Controller, :tell
  end

  # Whoever holds a stream accepts events, and no JSON.
  get "/bench/stream", Bench.Controller, :hold
end
