defmodule Bench.Application do
  @moduledoc "Starts the store, what tells held streams, and the endpoint."
  use Application

  @impl true
  def start(_type, _args) do
    children = [
      {Postgrex, Bench.Store.options(System.fetch_env!("DATABASE_URL"))},
      {Registry, keys: :duplicate, name: Bench.Streams, partitions: System.schedulers_online()},
      Bench.Endpoint
    ]

    Supervisor.start_link(children, strategy: :one_for_one)
  end
end
