"""Reading runs, sealed or not: finding them, following them, and one of them as a whole."""
