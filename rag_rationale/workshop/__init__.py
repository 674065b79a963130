"""The writer's bench: templates linted, tried, tested, shown side by side and begun anew."""
