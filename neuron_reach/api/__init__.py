"""What `import neuron_reach` offers: functions for notebooks and their results."""
