"""What LocalStack's open core lacks of this project's template, filled in by the engine that started it."""
