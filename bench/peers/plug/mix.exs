defmodule Bench.MixProject do
  use Mix.Project

  # To the last digit, with what packages need themselves.
  @packages [
    bandit: "1.12.5",
    db_connection: "2.10.2",
    decimal: "3.1.1",
    hpax: "1.0.4",
    jason: "1.4.5",
    mime: "2.0.7",
    plug: "1.19.1",
    plug_crypto: "2.1.1",
    postgrex: "0.22.2",
    telemetry: "1.4.1",
    thousand_island: "1.5.0",
    websock: "0.5.3"
  ]

  def project do
    [app: :bench, version: "1.0.0", elixir: "~> 1.15", start_permanent: true, deps: deps(System.get_env("HEX_SOURCES"))]
  end

  def application, do: [extra_applications: [:logger], mod: {Bench.Application, []}]

  defp deps(nil), do: @packages

  # Where the registry is out of reach: a folder with the source of each package.
  defp deps(folder) do
    for {name, _} <- @packages, do: {name, path: Path.join(folder, "#{name}"), override: true}
  end
end
