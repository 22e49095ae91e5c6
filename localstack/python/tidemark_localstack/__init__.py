"""Parts of this project's template that LocalStack's open core lacks. The engine that started LocalStack provides them.
"""
