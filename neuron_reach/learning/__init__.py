"""Deep Q-learning of the reaching task (torch)."""
