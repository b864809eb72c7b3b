"""Pure ASGI: takes messages apart, asks the runtime, carries out what was decided, puts them together again."""
