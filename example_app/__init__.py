"""Halvtakt Audio: a small shop for drum libraries, MIDI packs and plug-ins, which a privacy policy can guard."""
