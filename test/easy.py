"""Options of a task that a tiny network learns in seconds."""

EASY = {  # learned in about 1000 episodes
    'joints': 1,
    'hidden': [16, 16],
    'arms': 50,
    'batch_size': 64,
    'validation_interval': 100,
    'learning_rate': 0.01,
    'max_episodes': 4000,
    'success_reward': 0.8,
}
