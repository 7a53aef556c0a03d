"""A RabbitMQ of the story's own, as a process that says where it is and ends when it is told to."""
