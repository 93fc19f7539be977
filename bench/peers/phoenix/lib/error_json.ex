defmodule Bench.ErrorJSON do
  @moduledoc "What is wrong, as JSON."
  def render(template, _), do: %{error: Phoenix.Controller.status_message_from_template(template)}
end
