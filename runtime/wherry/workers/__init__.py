"""What RQ runs: pumps that take turns, sweeps that fire what is due. An RQ job is only a hint."""
