"""Values that the API writes as text or numbers: times, durations, quantities, counts, images, labels and selectors."""
