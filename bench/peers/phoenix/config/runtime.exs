import Config

config :bench, Bench.Endpoint, http: [ip: {127, 0, 0, 1}, port: String.to_integer(System.get_env("PORT", "4000"))]
