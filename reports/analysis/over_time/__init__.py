"""What happened when: blocks of the measured time, series, gaps, what stalls left out."""
