import Config

config :logger, level: :warning
config :phoenix, :json_library, Jason

config :bench, Bench.Endpoint,
  adapter: Bandit.PhoenixAdapter,
  server: true,
  render_errors: [formats: [json: Bench.ErrorJSON], layout: false]
