"""How good maps and reconstructions are: recipes, seeds, rival methods, anomalies, exports."""
