"""Who is calling: bearer → verified credential → AuthContext."""
