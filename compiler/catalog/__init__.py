"""Rules and tables: data that the stages share, one file per stage. Never: logic."""
