"""The trained network as a SavedModel: its signatures, its export, and its use on films."""
