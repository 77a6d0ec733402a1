"""The robot and its task: kinematics, joint control, the fleet simulator, reaching."""
