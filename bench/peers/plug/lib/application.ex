defmodule Bench.Application do
  @moduledoc "Starts the store, the registry of held streams, and Bandit."
  use Application

  @impl true
  def start(_type, _args) do
    children = [
      {Postgrex, Bench.Store.options(System.fetch_env!("DATABASE_URL"))},
      {Registry, keys: :duplicate, name: Bench.Streams, partitions: System.schedulers_online()},
      {Bandit, plug: Bench.Router, ip: {127, 0, 0, 1}, port: String.to_integer(System.fetch_env!("PORT"))}
    ]

    Supervisor.start_link(children, strategy: :one_for_one)
  end
end
