"""What is needed of a model, and the kinds of model that offer it."""
